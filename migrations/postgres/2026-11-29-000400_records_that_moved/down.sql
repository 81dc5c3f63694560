DROP TABLE record_moves;
