-- What the processes of an installation know of one another, and what may be used once by all of them together.

-- The public halves of the keys that sign access tokens, for as long as some process says that it has them.
CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    public text NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Invitations that made an account, until they would be good no longer.
CREATE TABLE used_invitations (
    id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_invitations_expiry ON used_invitations (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON signing_keys TO aurax_jobs;
GRANT SELECT, INSERT, DELETE ON used_invitations TO aurax_jobs;
