# An API in R: Rscript -e 'plumber::pr_run(plumber::pr("plumber.R"), port = 8000)'

#* How likely a customer is to leave
#* @param calls:int Calls to support
#* @param months:int Months with us
#* @get /score
#* @serializer unboxedJSON
function(calls, months) {
  list(score = round(as.integer(calls) / (as.integer(calls) + as.integer(months) / 6), 3))
}
