-- Of a task that waits for a person since the row `transition`: the token that answers Step Functions in their place, and
-- the approval it waits for, where it waits for one. Temporal needs none: its workflows are called by txn.
CREATE TABLE waits (
    txn        text PRIMARY KEY REFERENCES tasks,
    transition integer NOT NULL,
    token      text NOT NULL,
    approval   text,
    digest     text
);

GRANT SELECT, INSERT, UPDATE ON waits TO gateway;
