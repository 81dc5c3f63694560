DROP INDEX decisions_by_subject;
DROP INDEX log_anchors;
DROP INDEX log_by_kind;
DROP INDEX log_by_actor;
DROP INDEX log_by_time;
DROP TABLE audit_subjects;
DROP TABLE audit;
