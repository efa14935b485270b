# Three customers: months with us, calls to support.
customers <- function() {
  data.frame(name = c("Ann", "Bo", "Cy"), months = c(3, 26, 14), calls = c(4, 0, 2))
}
