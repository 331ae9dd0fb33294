-- The tables of a bouncer of Zulip 4, before users had UUIDs and realms were registered.
CREATE TABLE zilencer_remotezulipserver (
    id serial PRIMARY KEY,
    uuid varchar(36) NOT NULL UNIQUE,
    api_key varchar(64) NOT NULL,
    hostname varchar(128) NOT NULL UNIQUE,
    contact_email varchar(254) NOT NULL,
    last_updated timestamptz NOT NULL
);

CREATE TABLE zilencer_remotepushdevicetoken (
    id serial PRIMARY KEY,
    server_id integer NOT NULL REFERENCES zilencer_remotezulipserver,
    user_id bigint NOT NULL,
    kind smallint NOT NULL,
    token varchar(4096) NOT NULL,
    ios_app_id text,
    last_updated timestamptz NOT NULL
);

INSERT INTO zilencer_remotezulipserver
VALUES (1, 'a0000001-0000-4000-8000-000000000001', 'the key of 1', 'chat.example.org', 'a@example.org', '2021-05-01');
INSERT INTO zilencer_remotepushdevicetoken
VALUES (1, 1, 7, 2, 'android', NULL, '2021-05-02');
