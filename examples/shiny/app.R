# A dashboard in R: Rscript -e 'shiny::runApp(".", port = 8000)'
library(shiny)

page <- fluidPage(
  titlePanel("Customers"),
  sliderInput("calls", "Calls to support", 0, 10, 3),
  sliderInput("months", "Months with us", 1, 60, 12),
  textOutput("score")
)

server <- function(input, output) {
  output$score <- renderText(paste("Score:", round(input$calls / (input$calls + input$months / 6), 3)))
}

shinyApp(page, server)
