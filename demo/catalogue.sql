-- A catalogue of films that were never made, and the tastes of 4,000 people: the demo's data where
-- there is none to load.  The same on every machine: all chance comes from a hash.

CREATE TABLE movies (id bigint PRIMARY KEY, title text NOT NULL, genres text NOT NULL);

-- Titles: every genre has ten beginnings and six ends.
INSERT INTO movies
SELECT row_number() OVER (ORDER BY pg_catalog.hashtextextended(head || tail, 5)), head || ' ' || tail, genre
FROM (VALUES
	('Horror', '{The Cellar,The Whispers,The Seven Deaths,Don''t Look,A Candle,The Thing,Nobody Left,The Shadow,What Waits,The Last Night}'::text[],
		'{at Blackwood Manor,Below the Stairs,of Raven Hill,in the Attic,Under Salem Lake,at Hollow Farm}'::text[]),
	('Space', '{Beyond,The Last Ship from,Escape from,Mutiny on,Return to,Signals from,The Colonists of,War over,Lost near,The Moons of}',
		'{Orion Station,Kepler Nine,Titan,Proxima,the Red Rim,Andromeda}'),
	('Western', '{Showdown at,Four Riders to,The Sheriff of,Gold in,The Widow of,Last Train to,Gunsmoke over,A Noose in,Stampede at,The Long Way to}',
		'{Red Mesa,Dry Creek,Laredo Pass,Broken Arrow,Silver Gulch,Coyote Bend}'),
	('Romance', '{A Summer in,Letters from,Two Weeks in,The Baker of,Meet Me in,Autumn in,Dancing in,A Wedding in,The Florist of,One Kiss in}',
		'{Verona,Lisbon,Provence,Edinburgh,Vienna,Santorini}'),
	('Animation', '{Pip the Penguin,Bruno the Bear,Mimi and Max,Captain Carrot,The Tiny Dragon,Otto the Otter,Robot Rosie,Hugo the Hedgehog,The Brave Snail,Lulu the Llama}',
		'{Goes to School,Saves Winter,and the Lost Balloon,in the Big City,and the Moon Cake,Learns to Fly}'),
	('Heist', '{The Geneva,The Midnight,The Casino,The Diamond,The Monaco,The Vatican,The Oslo,The Antwerp,The Harbour,The Platinum}',
		'{Job,Swindle,Eleven,Getaway,Blueprint,Double Cross}'),
	('War', '{Bridge at,Winter at,The Snipers of,Landing at,Brothers of,The Siege of,Convoy to,Retreat from,The Guns of,Letters Home from}',
		'{Arnhem Wood,Dunmore,Kharkov,Saint-Lô,Monte Rosso,Tobruk Ridge}'),
	('Martial arts', '{Fist of the,Return of the,School of the,Sword of the,Revenge of the,Way of the,Daughter of the,Shadow of the,Secret of the,Seven Strikes of the}',
		'{Crane,Jade Tiger,Drunken Monk,White Lotus,Iron Monkey,Silent Dragon}')
) AS genre (genre, heads, tails), unnest(heads) AS head, unnest(tails) AS tail;

-- A number between 0 and 1 that looks drawn by lot.
CREATE FUNCTION pg_temp.chance(a bigint, b bigint, seed bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN (pg_catalog.hashint8extended(a * 1000003 + b, seed) & 1048575) / 1048576.0;

-- Everybody loves one genre, likes a second one, and sometimes sees something else.  Every genre has
-- its hits: how well known a film is falls steeply with its place, and how good it is does not.
CREATE TABLE ratings AS
WITH genre AS (
	SELECT genres, row_number() OVER (ORDER BY genres COLLATE "C") - 1 AS number FROM movies GROUP BY genres
), film AS (
	SELECT id, number AS genre, row_number() OVER (PARTITION BY number ORDER BY pg_temp.chance(id, 0, 1)) - 1 AS place,
		pg_temp.chance(id, 0, 2) AS quality
	FROM movies JOIN genre USING (genres)
), fan AS (
	SELECT user_id, floor(8 * pg_temp.chance(user_id, 0, 3)) AS loves, floor(8 * pg_temp.chance(user_id, 0, 4)) AS likes,
		5 + floor(30 * pg_temp.chance(user_id, 0, 5) ^ 2)::int AS visits
	FROM generate_series(1, 4000) AS user_id
), visit AS (
	SELECT user_id, loves, likes, v, pg_temp.chance(user_id, v, 6) AS mood
	FROM fan, generate_series(1, visits) AS v
), seen AS (
	SELECT user_id, v, loves, likes, CASE WHEN mood < 0.65 THEN loves WHEN mood < 0.85 THEN likes
			ELSE floor(8 * pg_temp.chance(user_id, v, 7)) END AS genre,
		floor(60 * pg_temp.chance(user_id, v, 8) ^ 2) AS place
	FROM visit
)
SELECT user_id::bigint, id AS item_id, max(least(5, greatest(1, round(
	CASE genre WHEN loves THEN 3.6 WHEN likes THEN 3.0 ELSE 2.0 END + 1.2 * quality + 1.6 * (pg_temp.chance(user_id, v, 9) - 0.5)))))::real AS rating
FROM seen JOIN film USING (genre, place)
GROUP BY user_id, id;

ALTER TABLE ratings ADD PRIMARY KEY (user_id, item_id);
ANALYZE movies, ratings;

-- Whom and what the tour shows.
\set about 'ratings from 1 to 5 of films that were never made, by people with made-up tastes'
\set user1 1149
\set taste1 'heists, then horror'
\set user2 1370
\set taste2 'romance, then war'
\set user3 403
\set taste3 'animation, then westerns'
SELECT id AS film FROM movies WHERE title = 'The Oslo Swindle' \gset
\set newcomer 1000001
SELECT id AS first1 FROM movies WHERE title = 'Beyond Proxima' \gset
\set rating1 5
SELECT id AS first2 FROM movies WHERE title = 'Fist of the Jade Tiger' \gset
\set rating2 4
\set new1 'The Zurich Double Cross'
\set genres1 'Heist'
\set new2 'Two Weeks in Porto'
\set genres2 'Romance'
\set new3 'Otto the Otter Learns to Swim'
\set genres3 'Animation'
