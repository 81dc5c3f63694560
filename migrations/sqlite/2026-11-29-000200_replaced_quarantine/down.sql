DROP INDEX quarantine_replaced;
