# Says what was scored: Rscript report.R
shares <- read.csv("data/shares.csv")
cat("most calls:", shares$name[which.max(shares$share)], "\n")
