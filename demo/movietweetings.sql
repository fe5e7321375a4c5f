-- Ratings of films, 0 to 10, that people tweeted in 2013.
CREATE TABLE movies (id bigint PRIMARY KEY, title text NOT NULL, genres text NOT NULL);
CREATE TABLE ratings (user_id bigint, item_id bigint, rating real, rated_at bigint, PRIMARY KEY (user_id, item_id));
\copy movies FROM 'movies.tsv'
\copy ratings FROM 'train.tsv'
\copy ratings FROM 'test.tsv'
ANALYZE movies, ratings;

-- Whom and what the tour shows.
\set about 'ratings from 0 to 10 of real films (MovieTweetings)'
\set user1 7706
\set taste1 'James Bond, of every decade'
\set user2 10561
\set taste2 'love stories'
\set user3 4110
\set taste3 'dark classics, from Hitchcock to Fincher'
\set film 58150
\set newcomer 1000001
\set first1 1049413
\set rating1 10
\set first2 114709
\set rating2 10
\set new1 'A film of tomorrow, with an agent'
\set genres1 'Action|Adventure|Thriller'
\set new2 'A film of tomorrow, with a wedding'
\set genres2 'Comedy|Romance'
\set new3 'A film of tomorrow, with a detective'
\set genres3 'Crime|Drama|Film-Noir|Mystery'
