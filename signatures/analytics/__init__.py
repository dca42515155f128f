"""Analytics: impressions and clicks, from the spool to daily counts, results and coverage."""
