\echo Use "ALTER EXTENSION mfrec UPDATE TO '0.2.0'" to load this file. \quit

DROP FUNCTION mf_import(text, regclass, regclass, text, regclass, double precision, double precision, double precision, double precision, text, text, text, text, text, text, text, text);
CREATE FUNCTION mf_import(
	model text,
	users regclass,
	items regclass,
	feedback text DEFAULT 'implicit',
	source regclass DEFAULT NULL,
	regularization double precision DEFAULT NULL,
	alpha double precision DEFAULT NULL,
	regularization_exponent double precision DEFAULT 0,
	mean double precision DEFAULT NULL,
	id_column text DEFAULT 'id',
	factors_column text DEFAULT 'factors',
	bias_column text DEFAULT NULL,
	ratings_column text DEFAULT NULL,
	user_column text DEFAULT 'user_id',
	item_column text DEFAULT 'item_id',
	rating_column text DEFAULT 'rating',
	schema text DEFAULT NULL,
	value_is_confidence boolean DEFAULT false,
	OUT model text, OUT version integer, OUT users bigint, OUT items bigint, OUT ratings bigint,
	OUT iterations integer, OUT loss double precision, OUT rmse double precision,
	OUT seconds double precision)
RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
AS 'MODULE_PATHNAME', 'mf_import';
COMMENT ON FUNCTION mf_import(text, regclass, regclass, text, regclass, double precision, double precision, double precision, double precision, text, text, text, text, text, text, text, text, boolean) IS
'makes a model''s next version of factors that were trained elsewhere: two tables or views with an id and a vector, real[] or double precision[], in each row
feedback: what the product of two vectors says, explicit a rating (mean + both biases + p . q), implicit how much a user would take an item
source: the ratings, so that recommendations leave out what a user has. With the objective by which the factors were trained, new users and ratings count at once; it is, of a user with n ratings, to minimise
    explicit   sum over observed (r - mean - b_u - b_i - p . q)^2 + regularization * (n^regularization_exponent |p|^2 + b_u^2)
    implicit   sum over ALL items of c * (x - p . q)^2 + regularization * n^regularization_exponent |p|^2, where x = 1 and c = 1 + alpha * value where observed, else x = 0 and c = 1; value_is_confidence: c = alpha * value where observed
regularization_exponent is 0 for the library implicit, whose values are confidences, and 1 for Spark. bias_column, ratings_column: optional columns of both tables, the latter a number of ratings';
