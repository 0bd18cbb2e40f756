-- Applied at each start by core_writer, who owns the database; changes nothing that is there.

CREATE SCHEMA IF NOT EXISTS agent;

CREATE TABLE IF NOT EXISTS customers (
    id    integer PRIMARY KEY,
    name  text NOT NULL,
    email text NOT NULL,
    phone text NOT NULL
);

CREATE TABLE IF NOT EXISTS stock (
    sku       text PRIMARY KEY,
    available integer NOT NULL CHECK (available >= 0)
);

CREATE TABLE IF NOT EXISTS orders (
    id          text PRIMARY KEY CHECK (id ~ '^[0-9]{1,10}$'),
    customer    integer NOT NULL REFERENCES customers,
    sku         text NOT NULL REFERENCES stock,
    status      text NOT NULL CHECK (status IN ('open', 'delayed', 'shipped', 'delivered', 'cancelled')),
    total_cents integer NOT NULL CHECK (total_cents > 0)
);

CREATE TABLE IF NOT EXISTS refunds (
    order_id     text PRIMARY KEY REFERENCES orders,
    amount_cents integer NOT NULL CHECK (amount_cents > 0),
    txn          text NOT NULL,
    refunded_at  timestamptz NOT NULL DEFAULT now()
);

-- What was answered to a key, so that a caller who lost the answer gets it again and not a second effect.
CREATE TABLE IF NOT EXISTS answers (
    key         text PRIMARY KEY,
    digest      text NOT NULL,
    status      integer,
    body        jsonb,
    answered_at timestamptz NOT NULL DEFAULT now()
);

-- All that agents may read: no addresses, no telephone numbers.
CREATE OR REPLACE VIEW agent.orders AS
    SELECT o.id, c.name AS customer, o.sku, o.status, o.total_cents
    FROM public.orders o JOIN public.customers c ON c.id = o.customer;
CREATE OR REPLACE VIEW agent.stock AS SELECT sku, available FROM public.stock;
GRANT USAGE ON SCHEMA agent TO agent_reader;
GRANT SELECT ON agent.orders, agent.stock TO agent_reader;

INSERT INTO customers (id, name, email, phone) VALUES
    (1, 'Nordwind Maschinen GmbH', 'einkauf@nordwind.example', '+49 40 5550101'),
    (2, 'Duarte Lda', 'compras@duarte.example', '+351 21 5550102'),
    (3, 'Atelier Moreau', 'bonjour@moreau.example', '+33 1 55501030'),
    (4, 'Holm & Co', 'order@holm.example', '+45 5550 1040'),
    (5, 'Sato Trading', 'desk@sato.example', '+81 3 5550 1050'),
    (6, 'Berger Haustechnik', 'tom@berger.example', '+43 1 5550106'),
    (7, 'Rossi Fratelli', 'ordini@rossi.example', '+39 02 5550107'),
    (8, 'Van Dijk Logistiek', 'inkoop@vandijk.example', '+31 20 5550108')
ON CONFLICT DO NOTHING;

INSERT INTO stock (sku, available) VALUES
    ('PUMP-3', 4), ('VALVE-8', 0), ('GLASS-2', 60), ('RACK-1', 2), ('BELT-5', 12),
    ('MOTOR-7', 0), ('CABLE-9', 340), ('PANEL-4', 17), ('DRILL-6', 8), ('FILTER-2', 25)
ON CONFLICT DO NOTHING;

INSERT INTO orders (id, customer, sku, status, total_cents) VALUES
    ('4701', 1, 'CABLE-9', 'open', 1890), ('4702', 2, 'VALVE-8', 'delayed', 8450),
    ('4703', 3, 'GLASS-2', 'delivered', 3900), ('4704', 4, 'RACK-1', 'shipped', 21000),
    ('4705', 5, 'BELT-5', 'open', 5600), ('4706', 6, 'FILTER-2', 'delivered', 2450),
    ('4707', 7, 'MOTOR-7', 'delayed', 48900), ('4708', 8, 'PANEL-4', 'shipped', 15750),
    ('4709', 1, 'DRILL-6', 'open', 32900), ('4710', 2, 'CABLE-9', 'delivered', 990),
    ('4711', 1, 'PUMP-3', 'delayed', 12900), ('4712', 3, 'PANEL-4', 'open', 7200),
    ('4713', 4, 'FILTER-2', 'open', 4980), ('4714', 5, 'DRILL-6', 'shipped', 16450),
    ('4715', 6, 'PUMP-3', 'delayed', 12900), ('4716', 7, 'BELT-5', 'delivered', 2800),
    ('4717', 8, 'VALVE-8', 'delayed', 16900), ('4718', 1, 'GLASS-2', 'open', 1300),
    ('4719', 2, 'RACK-1', 'open', 42000), ('4720', 3, 'MOTOR-7', 'delayed', 24450),
    ('4721', 4, 'CABLE-9', 'delivered', 3780), ('4722', 5, 'PANEL-4', 'cancelled', 5250),
    ('4723', 6, 'DRILL-6', 'delivered', 18200), ('4724', 7, 'GLASS-2', 'shipped', 6500),
    ('4725', 8, 'FILTER-2', 'open', 1225), ('4726', 1, 'BELT-5', 'delayed', 11200),
    ('4727', 2, 'PUMP-3', 'open', 25800), ('4728', 3, 'CABLE-9', 'shipped', 2205),
    ('4729', 4, 'VALVE-8', 'open', 4225), ('4730', 5, 'RACK-1', 'delivered', 10500)
ON CONFLICT DO NOTHING;
