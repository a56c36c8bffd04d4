"""Analytics: daily values of a portfolio in, returns, risk and what they are made of out; pure functions of values."""
