DROP INDEX conflicts_closed;
