# The score of scoring/model.py: more calls and fewer months mean more.
score <- function(customers) {
  round(customers$calls / (customers$calls + customers$months / 6), 3)
}
