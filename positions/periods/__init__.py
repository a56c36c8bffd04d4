"""A portfolio through a period: statement, returns, risk, contribution, income and gains, read from rows."""
