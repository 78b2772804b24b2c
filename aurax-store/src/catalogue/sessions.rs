//! Conversations and what is said in them.

use super::statements::statements;

/// How many bytes a message says.
macro_rules! size {
    () => {
        "CAST(octet_length(m.content) + COALESCE(octet_length(m.parts), 0) AS bigint)"
    };
}

/// The first `:most` messages of a list, but for those that are too large together: the first one,
/// and those that say `:bytes` with the ones before them.
macro_rules! turns {
    ($which:literal, $order:literal) => {
        concat!(
            "WITH listed AS (
                 SELECT m.id, m.seq, ",
            size!(),
            " AS size FROM messages m WHERE user_id = :user AND ",
            $which,
            " ORDER BY m.",
            $order,
            " LIMIT :most
             ), part AS (
                 SELECT id, size, SUM(size) OVER (ORDER BY ",
            $order,
            ") AS total, COUNT(*) OVER () AS found FROM listed
             )
             SELECT m.id, m.session_id, m.parent_id, m.seq, m.role, m.content, m.parts, m.status,
                 m.provider, m.model, m.usage, {pg: m.cost,}{lite: m.cost_nano, m.cost_atto,}
                 m.cost_source, m.created_at, part.found
             FROM part JOIN messages m ON m.id = part.id
             WHERE (part.total <= :bytes OR part.total = part.size)
             ORDER BY m.",
            $order
        )
    };
}

statements! { "sessions":
    ADD = "INSERT INTO chat_sessions (id, user_id, title, settings, leaf, turns, created_at, updated_at)
           VALUES (:id, :user, :title, :settings, :leaf, :turns, :created_at, :updated_at)";
    GET = "SELECT id, title, settings, leaf, turns, created_at, updated_at
           FROM chat_sessions WHERE user_id = :user AND id = :id";
    LIST = "SELECT id, title, settings, leaf, turns, created_at, updated_at
            FROM chat_sessions
            WHERE user_id = :user AND (CAST(:before AS {pg: uuid}{lite: text}) IS NULL OR id < :before)
            ORDER BY id DESC LIMIT :most";
    /// Keeps the session as it is until the transaction ends.
    HOLD = "SELECT running FROM chat_sessions WHERE user_id = :user AND id = :id {pg: FOR UPDATE}";
    HAS_TURN = "SELECT id FROM messages WHERE user_id = :user AND session_id = :id AND id = :leaf";
    CHANGE = "UPDATE chat_sessions SET
                  title = COALESCE(:title, title, :first_title),
                  settings = COALESCE(:settings, settings),
                  leaf = COALESCE(:leaf, leaf),
                  updated_at = :at
              WHERE user_id = :user AND id = :id
              RETURNING id, title, settings, leaf, turns, created_at, updated_at";
    DELETE = "DELETE FROM chat_sessions WHERE user_id = :user AND id = :id";
    ERASE = "DELETE FROM messages WHERE id IN (
                 SELECT id FROM messages WHERE user_id = :user AND session_id = :id LIMIT :most)";
    /// From the leaf back to the root.
    BRANCH = concat!("WITH RECURSIVE branch (id, parent_id, depth, total) AS (
                  SELECT m.id, m.parent_id, 1, ", size!(), " FROM messages m
                  WHERE user_id = :user AND m.session_id = :id AND m.id = :leaf
                  UNION ALL
                  SELECT m.id, m.parent_id, branch.depth + 1, branch.total + ", size!(), "
                  FROM branch JOIN messages m ON m.id = branch.parent_id
                  WHERE m.session_id = :id AND branch.depth < :most
                      AND branch.total + ", size!(), " <= :bytes)
              SELECT m.id, m.session_id, m.parent_id, m.seq, m.role, m.content, m.parts, m.status,
                  m.provider, m.model, m.usage, {pg: m.cost,}{lite: m.cost_nano, m.cost_atto,}
                  m.cost_source, m.created_at
              FROM branch JOIN messages m ON m.id = branch.id
              ORDER BY branch.depth DESC");
    TURNS = turns!("m.session_id = :id AND m.seq > :after", "seq");
    CHILDREN = turns!("m.session_id = :id AND m.seq > :after
                          AND {pg: m.parent_id IS NOT DISTINCT FROM :parent}
                              {lite: m.parent_id IS :parent}", "seq");
    /// Raises the number of turns to that of the latest.
    RECOUNT = "UPDATE chat_sessions SET turns = {pg: GREATEST}{lite: MAX}(turns, :turns)
               WHERE user_id = :user AND id = :id";
    SEARCH = turns!("{pg: m.id = ANY(ARRAY(SELECT aurax_search(:words, :before, :most)))}
                     {lite: m.number IN (SELECT rowid FROM messages_words
                                         WHERE messages_words MATCH :words)
                            AND (CAST(:before AS text) IS NULL OR m.id < :before)}", "id DESC");
    /// Turns as the columns that `turn::columns` makes of them, those that are there left alone.
    IMPORT = "INSERT INTO messages (id, session_id, user_id, parent_id, seq, role, content, words,
                  parts, status, provider, model, tokens, usage, {m cost}, cost_source, request_id,
                  created_at)
              SELECT {pg: turn.id, :id, :user, turn.parent_id, turn.seq, turn.role, turn.content,
                          turn.words, turn.parts, turn.status, turn.provider, turn.model,
                          turn.tokens, turn.usage, turn.cost, turn.cost_source, turn.request_id,
                          'epoch'::timestamptz + turn.created_at * interval '1 microsecond'}
                     {lite: value ->> 'id', :id, :user, value ->> 'parent_id', value ->> 'seq',
                          value ->> 'role', value ->> 'content', value ->> 'words',
                          value ->> 'parts', value ->> 'status', value ->> 'provider',
                          value ->> 'model', value ->> 'tokens', value ->> 'usage',
                          value ->> 'cost_nano', value ->> 'cost_atto', value ->> 'cost_source',
                          value ->> 'request_id', value ->> 'created_at'}
              FROM {pg: jsonb_to_recordset(CAST(:turns AS jsonb)) AS turn (
                            id uuid, parent_id uuid, seq bigint, role text, content text,
                            words text, parts text, status text, provider text, model text,
                            tokens bigint, usage text, cost numeric, cost_source text,
                            request_id uuid, created_at bigint)}
                   {lite: json_each(:turns)}
              WHERE TRUE ON CONFLICT (id) DO NOTHING";
}
