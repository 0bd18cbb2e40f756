-- Single source of truth of a fabric. Owner: gateway_owner. The gateway's own role may not change or remove ledger rows.

CREATE TABLE agents (
    name           text NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    definition     jsonb NOT NULL,
    digest         text NOT NULL,
    contract       text NOT NULL,
    deployed_by    text NOT NULL,
    deployed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

CREATE TABLE tasks (
    txn            text PRIMARY KEY,
    agent          text NOT NULL,
    version        integer NOT NULL,
    trigger        text NOT NULL,
    webhook_id     text NOT NULL UNIQUE,
    data_subject   text NOT NULL,
    state          text NOT NULL DEFAULT 'opened',
    step           integer NOT NULL DEFAULT 0,
    transition_seq integer NOT NULL DEFAULT 0,
    reason         text NOT NULL DEFAULT '',
    opened_at      timestamptz NOT NULL DEFAULT now(),
    started_at     timestamptz,
    closed_at      timestamptz,
    FOREIGN KEY (agent, version) REFERENCES agents (name, version)
);
CREATE INDEX tasks_to_start ON tasks (opened_at) WHERE started_at IS NULL;

-- T0: what the task may do. A token is only a projection of this row.
CREATE TABLE grants (
    txn                   text PRIMARY KEY REFERENCES tasks,
    subject               text NOT NULL,
    agent_subject         text NOT NULL,
    may_act               text NOT NULL,
    plan_digest           text NOT NULL,
    policy_digest         text NOT NULL,
    authorization_details jsonb NOT NULL,
    class                 text NOT NULL,
    tenant                text NOT NULL,
    data_subject          text NOT NULL,
    data_class            text NOT NULL,
    model_class           text NOT NULL,
    max_steps             integer NOT NULL CHECK (max_steps > 0),
    steps_leased          integer NOT NULL DEFAULT 0 CHECK (steps_leased BETWEEN 0 AND max_steps),
    stalled               integer NOT NULL DEFAULT 0,
    last_outcome          text NOT NULL DEFAULT '',
    token_seq             integer NOT NULL DEFAULT 0,
    deadline              timestamptz NOT NULL,
    state                 text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'revoked', 'closed')),
    revoked_at            timestamptz,
    revoke_delivered_at   timestamptz
);

CREATE TABLE messages (
    txn     text NOT NULL REFERENCES tasks,
    seq     integer NOT NULL,
    key     text NOT NULL,
    role    text NOT NULL CHECK (role IN ('user', 'assistant', 'tool')),
    content text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (txn, seq),
    UNIQUE (txn, key)
);

CREATE TABLE approvals (
    id           text PRIMARY KEY,
    txn          text NOT NULL REFERENCES tasks,
    step         integer NOT NULL,
    digest       text NOT NULL,
    action       jsonb NOT NULL,
    requested_by text NOT NULL,
    reason       text NOT NULL,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'approved', 'declined', 'expired', 'consumed')),
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    decided_by   text,
    decided_at   timestamptz,
    delivered_at timestamptz,
    UNIQUE (txn, digest)
);
CREATE INDEX approvals_to_deliver ON approvals (decided_at) WHERE decided_at IS NOT NULL AND delivered_at IS NULL;

CREATE TABLE choices (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    txn          text NOT NULL REFERENCES tasks,
    transition   integer NOT NULL,
    choice       text NOT NULL CHECK (choice IN ('continue', 'resume', 'take_over', 'stop')),
    iterations   integer NOT NULL DEFAULT 0,
    chosen_by    text NOT NULL,
    chosen_at    timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    UNIQUE (txn, transition)
);

-- One row per tool call: the idempotency record, and the recorded results that late binding reads.
CREATE TABLE tool_calls (
    key              text PRIMARY KEY,
    txn              text NOT NULL REFERENCES tasks,
    step             integer NOT NULL,
    tool             text NOT NULL,
    effect           text NOT NULL CHECK (effect IN ('read', 'write')),
    arguments        jsonb NOT NULL,
    arguments_digest text NOT NULL,
    bound            jsonb NOT NULL,
    state            text NOT NULL CHECK (state IN ('started', 'succeeded', 'rejected', 'failed')),
    status           integer,
    result           jsonb,
    approval         text REFERENCES approvals,
    started_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz
);
CREATE INDEX tool_calls_of_task ON tool_calls (txn, tool);

CREATE TABLE used_jti (
    jti     text PRIMARY KEY,
    expires timestamptz NOT NULL
);
CREATE INDEX used_jti_to_sweep ON used_jti (expires);

CREATE TABLE ledger (
    txn    text NOT NULL,
    seq    bigint NOT NULL,
    record text NOT NULL,
    hash   bytea NOT NULL,
    mac    bytea NOT NULL,
    PRIMARY KEY (txn, seq)
);

CREATE TABLE ledger_heads (
    txn          text PRIMARY KEY,
    seq          bigint NOT NULL,
    hash         bytea NOT NULL,
    checkpointed boolean NOT NULL DEFAULT false
);
CREATE INDEX ledger_heads_moved ON ledger_heads (txn) WHERE NOT checkpointed;

-- Names no person: the record names the key, and only subject_keys, while it has the key, says whose it is.
CREATE TABLE ledger_content (
    txn        text NOT NULL,
    seq        bigint NOT NULL,
    nonce      bytea NOT NULL,
    ciphertext bytea NOT NULL,
    PRIMARY KEY (txn, seq)
);

CREATE TABLE subject_keys (
    subject text PRIMARY KEY,
    id      uuid NOT NULL UNIQUE,
    nonce   bytea NOT NULL,
    wrapped bytea NOT NULL
);

CREATE TABLE ledger_checkpoints (
    n   bigint PRIMARY KEY,
    jws text NOT NULL,
    at  timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE ON agents, tasks, grants, messages, approvals, choices, tool_calls, ledger_heads TO gateway;
GRANT SELECT, INSERT ON ledger, ledger_content, ledger_checkpoints TO gateway;
GRANT SELECT, INSERT, DELETE ON used_jti, subject_keys TO gateway;
GRANT SELECT ON ledger, ledger_heads, ledger_content, ledger_checkpoints, subject_keys TO auditor;
