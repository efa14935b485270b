"""How likely a customer is to leave."""
