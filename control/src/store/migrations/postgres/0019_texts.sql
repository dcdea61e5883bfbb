-- The index of what was said. Texts are numbered here, as in the other database.
CREATE TABLE texts (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest BYTEA  NOT NULL UNIQUE
);

-- Which session names which text.
CREATE TABLE session_texts (
    text    BIGINT NOT NULL,
    session TEXT   NOT NULL,
    PRIMARY KEY (text, session)
);

-- Words; a row is a part of a text, numbered id * 65536 + part. Whoever writes here writes in the background, so that the
-- index is brought up to date at once and not by whoever searches next.
CREATE TABLE words (
    id    BIGINT   PRIMARY KEY,
    words tsvector NOT NULL
);
CREATE INDEX words_words ON words USING gin (words) WITH (fastupdate = off);

-- The cursor up to which entries of the log are in the index. It begins at the beginning.
CREATE TABLE text_index (done BIGINT NOT NULL);
INSERT INTO text_index (done) VALUES (0);
