# The same score in R: Rscript model.R
source("features/table.R")
source("scoring/model.R")

scored <- customers()
scored$score <- score(scored)
print(scored)
