# The same score in R: Rscript model.R
customers <- data.frame(name = c("Ann", "Bo", "Cy"), months = c(3, 26, 14), calls = c(4, 0, 2))
customers$score <- round(customers$calls / (customers$calls + customers$months / 6), 3)
print(customers)
