-- The index of what was said. Texts are numbered here: rows of `blocks` may be numbered anew by VACUUM.
CREATE TABLE texts (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB    NOT NULL UNIQUE
);

-- Which session names which text.
CREATE TABLE session_texts (
    text    INTEGER NOT NULL,
    session TEXT    NOT NULL,
    PRIMARY KEY (text, session)
) WITHOUT ROWID;

-- Words; a row is a part of a text, numbered id * 65536 + part. The words themselves are not kept, only where they stand.
-- They come in lower case with spaces between: whatever is not ASCII is a part of a word. What is removed is removed from
-- the pages of the index at once.
CREATE VIRTUAL TABLE words USING fts5 (said, content = '', columnsize = 0, tokenize = 'ascii');
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

-- The cursor up to which entries of the log are in the index. It begins at the beginning.
CREATE TABLE text_index (done INTEGER NOT NULL);
INSERT INTO text_index (done) VALUES (0);
