-- By endpoint and the model it asks for: a candidate that the stack file gives another model is another endpoint.
-- version: what its replies name, from the first one on. quarantined_at: since when it may not be used; cause, expected,
-- seen: why; txn: the task whose reply showed it. compared_*: what `loomstead models compare` last ran against.
CREATE TABLE model_endpoints (
    name             text NOT NULL,
    model            text NOT NULL,
    version          text,
    quarantined_at   timestamptz,
    cause            text CHECK (cause IN ('region', 'region_unsaid', 'version')),
    expected         text,
    seen             text,
    txn              text REFERENCES tasks,
    compared_version text,
    compared_at      timestamptz,
    released_at      timestamptz,
    released_by      text,
    release_reason   text,
    PRIMARY KEY (name, model),
    CHECK (quarantined_at IS NULL OR (cause IS NOT NULL AND expected IS NOT NULL AND txn IS NOT NULL)),
    CHECK ((released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_reason IS NULL))
);

GRANT SELECT, INSERT, UPDATE ON model_endpoints TO gateway;
GRANT SELECT ON model_endpoints TO auditor;
