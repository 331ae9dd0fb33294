-- One row of every kind, and one of every fault. ORG_ID, ORG_KEY and TOKEN_ID are put in by the test.
INSERT INTO zilencer_remotezulipserver
    (id, uuid, api_key, hostname, contact_email, last_updated, last_request_datetime, last_version, last_api_feature_level, deactivated, plan_type, last_audit_log_update)
VALUES
    (1, 'ORG_ID', 'ORG_KEY', 'Chat.selfhosted.test', 'admin@selfhosted.test', '2026-01-01', '2026-02-01', '11.2', 400, false, 102, '2026-02-01'),
    (2, 'a0000002-0000-4000-8000-000000000002', 'the key of 2', 'chat/path', 'a@b.test', '2026-01-01', NULL, NULL, NULL, false, 100, NULL),
    (3, 'a0000003-0000-4000-8000-000000000003', '', 'no-key.example.com', 'a@b.test', '2026-01-01', NULL, NULL, NULL, false, 100, NULL),
    (4, 'a0000004-0000-4000-8000-000000000004', 'the key of 4', 'twice.example.com', 'a@b.test', '2026-01-01', '2026-01-02', NULL, NULL, false, 100, NULL),
    (5, 'a0000005-0000-4000-8000-000000000005', 'the key of 5', 'TWICE.example.com', 'a@b.test', '2026-01-01', '2026-01-03', NULL, NULL, false, 104, NULL),
    (6, 'a0000006-0000-4000-8000-000000000006', 'the key of 6', 'old.example.com', 'a@b.test', '2026-01-01', NULL, NULL, NULL, true, 104, NULL);
INSERT INTO corporate_customer (id, remote_server_id) VALUES (1, 5), (2, 6);
INSERT INTO corporate_customerplan (customer_id, status, tier, end_date)
VALUES (1, 11, 3, NULL), (1, 2, 4, '2027-01-01'), (2, 11, 4, NULL);
INSERT INTO zilencer_remotezulipserverauditlog (server_id, event_type, event_time)
VALUES (1, 10215, '2025-01-01');

INSERT INTO zilencer_remoterealm (id, server_id, uuid, uuid_owner_secret, host, name, realm_date_created, last_updated)
VALUES
    (11, 1, 'b0000001-0000-4000-8000-000000000001', 'secret', 'chat.selfhosted.test', 'Realm', '2025-01-01', '2026-01-01'),
    (12, 2, 'b0000002-0000-4000-8000-000000000002', 'secret', 'chat.example.com', 'Lost', '2025-01-01', '2026-01-01');

INSERT INTO zilencer_remotepushdevicetoken
    (id, server_id, user_id, user_uuid, kind, token, ios_app_id, last_updated, remote_realm_id)
VALUES
    (101, 1, NULL, '5f0c2d8e-6a43-4c58-9a4b-1f0f7b8c2d11', 1, '6970686F6E65', 'org.zulip.Zulip', '2026-01-01', 11),
    (102, 1, NULL, '5f0c2d8e-6a43-4c58-9a4b-1f0f7b8c2d11', 2, 'android', NULL, '2026-01-01', NULL),
    (103, 1, NULL, NULL, 2, 'fault-no-user', NULL, '2026-01-01', NULL),
    (104, 1, 8, NULL, 1, 'fa0104', NULL, '2026-01-01', NULL),
    (105, 1, 8, NULL, 1, 'fa0105', 'com.example.old', '2026-01-01', NULL),
    (106, 1, 8, NULL, 1, 'fault-token', 'org.zulip.Zulip', '2026-01-01', NULL),
    (107, 1, 8, NULL, 3, 'fault-kind', NULL, '2026-01-01', NULL),
    (108, 2, 8, NULL, 2, 'fault-server', NULL, '2026-01-01', NULL),
    (109, 1, 9, NULL, 1, 'ABCD', 'org.zulip.Zulip', '2026-01-01', NULL),
    (110, 1, 9, NULL, 1, 'abcd', 'org.zulip.Zulip', '2026-01-02', NULL),
    (111, 1, 8, NULL, 1, 'fa0111', 'no bundle id', '2026-01-01', NULL);

INSERT INTO zilencer_remotepushdevice
    (device_id, realm_id, remote_realm_id, token, token_kind, token_id, push_account_id, ios_app_id, expired_time)
VALUES
    (201, NULL, 11, '6970686f6e65', 'apns', TOKEN_ID, NULL, 'org.zulip.Zulip', NULL),
    (202, NULL, 11, 'expired', 'fcm', 5, NULL, NULL, '2026-01-05'),
    (203, 1, NULL, 'fault-local', 'fcm', 6, NULL, NULL, NULL),
    (204, NULL, 12, 'fault-realm', 'fcm', 7, NULL, NULL, NULL),
    (205, NULL, 11, 'fault-name', 'fcm', NULL, NULL, NULL, NULL),
    (206, NULL, 11, 'of-zulip-11', 'fcm', NULL, 77, NULL, NULL);

INSERT INTO zilencer_remoteinstallationcount (server_id, remote_id, property, subgroup, end_time, value)
VALUES
    (1, 5, 'active_users_audit:is_bot:day', 'false', '2026-01-02', 12),
    (1, NULL, 'mobile_pushes_received::day', NULL, '2026-01-02', 40),
    (1, NULL, 'mobile_pushes_forwarded::day', NULL, '2026-01-02', 30);
INSERT INTO zilencer_remoterealmcount (server_id, remote_realm_id, realm_id, remote_id, property, subgroup, end_time, value)
VALUES (1, 11, 2, 6, 'messages_sent:is_bot:hour', 'false', '2026-01-02', 3);
INSERT INTO zilencer_remoterealmauditlog (server_id, remote_realm_id, realm_id, remote_id, event_type, event_time, extra_data)
VALUES (1, 11, 2, 9, 101, '2026-01-02', '{"10": {"11": {"100": 1, "200": 2, "300": 0, "400": 4, "600": 0}}}');
