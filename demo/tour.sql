-- What a new user would like to see, on whatever data is loaded: tables movies and ratings, and the
-- variables that the data's script sets.
\pset footer off
\pset null ''

SELECT :'about' AS "the data", count(*) AS ratings, count(DISTINCT user_id) AS people, count(DISTINCT item_id) AS films FROM ratings;
TABLE ratings LIMIT 3;

\echo '== 1. Training: one call'
\echo
CREATE EXTENSION mfrec;

CREATE FUNCTION pg_temp.beside(person bigint)
RETURNS TABLE ("has rated" text, rating real, "gets recommended" text, score numeric, "predicted rating" numeric)
LANGUAGE sql AS $$
	SELECT own.title, own.rating, list.title, list.score::numeric(6, 3), list.predicted_rating::numeric(4, 1)
	FROM (SELECT row_number() OVER (ORDER BY rating DESC, title COLLATE "C") AS line, left(title, 42) AS title, rating
		FROM ratings JOIN movies ON id = item_id WHERE user_id = person) own
	FULL JOIN (SELECT rank AS line, left(title, 42) AS title, score, predicted_rating
		FROM mf_recommend(person, 10) JOIN movies ON id = item_id) list USING (line)
	ORDER BY line LIMIT 15
$$;

\set ECHO queries
SELECT model, version, users, items, ratings, iterations, rmse::numeric(6, 3), seconds::numeric(6, 1)
FROM mf_train('ratings');
\set ECHO none

\echo '== 2. Recommending: three people, what they have rated and what they get'
\echo
\echo SELECT m.title, r.score, r.predicted_rating
\echo FROM mf_recommend(:user1, 10) r JOIN movies m ON m.id = r.item_id ORDER BY r.rank;
\echo
\echo Person :user1 likes :taste1.
SELECT * FROM pg_temp.beside(:user1);
\echo Person :user2 likes :taste2.
SELECT * FROM pg_temp.beside(:user2);
\echo Person :user3 likes :taste3.
SELECT * FROM pg_temp.beside(:user3);

\echo '== 3. Questions about one film'
\echo
SELECT title AS film FROM movies WHERE id = :film;
\echo 'How would this person rate it?'
\set ECHO queries
SELECT mf_predict(:user1, :film)::numeric(4, 1);
\set ECHO none
\echo 'Which of the films that this person has rated speak for it?'
\set ECHO queries
SELECT m.title, e.contribution::numeric(6, 3)
FROM mf_explain(:user1, :film, 5) e JOIN movies m ON m.id = e.item_id ORDER BY e.contribution DESC;
\set ECHO none
\echo 'What is like it?'
\set ECHO queries
SELECT m.title, s.similarity::numeric(6, 3)
FROM mf_similar_items(:film, 5) s JOIN movies m USING (id) ORDER BY s.rank;
\set ECHO none

\echo '== 4. Somebody new: in one transaction, before and after the first ratings, without training'
\echo
\set ECHO queries
BEGIN;
SELECT m.title, r.reason
FROM mf_recommend(:newcomer, 5) r JOIN movies m ON m.id = r.item_id ORDER BY r.rank;
INSERT INTO ratings (user_id, item_id, rating)
VALUES (:newcomer, :first1, :rating1), (:newcomer, :first2, :rating2);
SELECT m.title, t.rating FROM ratings t JOIN movies m ON m.id = t.item_id WHERE t.user_id = :newcomer;
SELECT m.title, r.reason, r.score::numeric(6, 3)
FROM mf_recommend(:newcomer, 5) r JOIN movies m ON m.id = r.item_id ORDER BY r.rank;
COMMIT;
\set ECHO none

\echo '== 5. Films that came in today, which nobody has rated'
\echo
INSERT INTO movies VALUES (9000001, :'new1', :'genres1'), (9000002, :'new2', :'genres2'), (9000003, :'new3', :'genres3');
\set ECHO queries
CREATE VIEW attributes AS SELECT id AS item_id, string_to_array(genres, '|') AS genres FROM movies;
SELECT model, items, seconds::numeric(6, 1) FROM mf_train('ratings', model => 'by_genres', item_features => 'attributes');
\set ECHO none
\echo 'Whom are they for?  The first of them, for each of the three people:'
\set ECHO queries
SELECT person, m.title, m.genres, r.predicted_rating::numeric(4, 1)
FROM unnest(ARRAY[:user1, :user2, :user3]) WITH ORDINALITY p (person, n),
	LATERAL mf_recommend(person, 1, 'by_genres', candidates => ARRAY[9000001, 9000002, 9000003]) r
	JOIN movies m ON m.id = r.item_id ORDER BY n;
\set ECHO none
\echo 'And why?'
\set ECHO queries
SELECT feature, contribution::numeric(7, 4) FROM mf_explain_features(:user1, 9000001, 5, 'by_genres');
\set ECHO none

\echo '== 6. What it has learned, as a page: how training went, how good it is on rows held out, who gets what'
\echo
SET client_min_messages = warning;
\set ECHO queries
CREATE VIEW learned AS SELECT * FROM ratings WHERE NOT mf_holdout(user_id, item_id);
CREATE VIEW held_out AS SELECT * FROM ratings WHERE mf_holdout(user_id, item_id);
SELECT model, ratings, rmse::numeric(6, 3) FROM mf_train('learned', validation => 0.1, item_features => 'attributes');
\set ECHO none
\echo 'SELECT mf_report(\'learned\', titles => \'movies\', test => \'held_out\');'
\pset format unaligned
\pset tuples_only on
\o :page
SELECT mf_report('learned', titles => 'movies', test => 'held_out', users => ARRAY[:user1, :user2, :user3]::text[]);
\o
\pset format aligned
\pset tuples_only off
\echo
\echo It is in :page
