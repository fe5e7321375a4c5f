# Model tables and bookkeeping that are handed to Citus by hand, and taken back: right answers or an error with a hint,
# never what was there before.  An erased user stays erased.
use strict;
use warnings;
use CitusTest;
use Test::More;

my @nodes = new_cluster('handed');
my ($node, @workers) = @nodes;
make_ratings($node, 'ratings');
sql($node, 'CREATE TABLE kinds (version int PRIMARY KEY); INSERT INTO kinds SELECT generate_series(1, 9); SELECT create_reference_table(\'kinds\')');

my $reason = q[SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(%d, 3, '%s', fresh => false)];
# What calls answer must be what tables say, whatever becomes of them.
sub check_model
{
	my ($model, $how) = @_;
	my $lists = sql($node, lists_sql($model, 'fresh => false'));
	is($lists, sql($node, lists_sql('ratings', 'fresh => false')), "$how: lists");
	is(sql($node, "SELECT count(*), sum(item_id) FROM mf_recommend_all(3, '$model')"), sql($node, "SELECT count(*), sum(item_id) FROM mf_recommend_all(3, 'ratings')"), "$how: all lists");
	my $predicted = "SELECT string_agg(round(mf_predict(u, 5, '%s')::numeric, 3)::text, ' ' ORDER BY u) FROM generate_series(1, 12) u";
	is(sql($node, sprintf($predicted, $model)), sql($node, sprintf($predicted, 'ratings')), "$how: predictions");
	is(sql($node, "SELECT string_agg(id::text, ' ' ORDER BY rank) FROM mf_similar_users(11, 5, '$model')"),
		sql($node, "SELECT string_agg(id::text, ' ' ORDER BY rank) FROM mf_similar_users(11, 5, 'ratings')"), "$how: similar users");
	return;
}
sub check_changes
{
	my ($model, $how) = @_;
	is(sql($node, sprintf($reason, 20, $model)), 'model', "$how: user 20 is known");
	is(sql($node, "SELECT mf_forget(20, '$model')"), sql($node, "SELECT count(*) FROM mf_models WHERE model = '$model'"), "$how: user 20 is erased");
	is(sql($node, "SELECT count(*) FROM ${model}_user_factors WHERE user_id = 20"), '0', "$how: from the table");
	is(sql($node, sprintf($reason, 20, $model)), 'popular', "$how: and from lists");
	is(sql($node, "SELECT users_added FROM mf_update('$model', all_rows => true)"), '1', "$how: updated");
	is(sql($node, sprintf($reason, 20, $model)), 'model', "$how: user 20 is back");
	sql($node, "DELETE FROM ${model}_user_factors WHERE user_id = 21");
	is(sql($node, sprintf($reason, 21, $model)), 'popular', "$how: deleted by hand");
	my $version = sql($node, "SELECT version FROM mf_retrain('$model')");
	is(sql($node, sprintf($reason, 21, $model)), 'model', "$how: a retrain brings all back");
	is(sql($node, "SELECT count(*) FROM ${model}_user_factors WHERE version = $version"), '300', "$how: as many rows as users");
	is(sql($node, "SELECT mf_rollback('$model')"), $version - 1, "$how: rolled back");
	is(sql($node, sprintf($reason, 21, $model)), 'popular', "$how: to what was then");
	return;
}

sql($node, "SELECT mf_train('ratings', model => m, factors => 4) FROM unnest('{ratings,by_user,by_version,reference,added,by_item}'::text[]) m");
my %hand = (
	by_user => "SELECT create_distributed_table('by_user_user_factors', 'user_id'), create_reference_table('by_user_item_factors')",
	by_version => "SELECT create_distributed_table('by_version_user_factors', 'version')",
	reference => "SELECT create_reference_table('reference_user_factors'), create_reference_table('reference_item_factors')",
	added => "SELECT citus_add_local_table_to_metadata('added_user_factors'), citus_add_local_table_to_metadata('added_item_factors')",
	by_item => "SELECT create_distributed_table('by_item_item_factors', 'item_id')");
for my $model (sort keys %hand)
{
	sql($node, lists_sql($model));		# an image and what the session keeps are from before
	sql($node, $hand{$model});
	check_model($model, $model);
	sql($node, "SELECT truncate_local_data_after_distributing_table('${model}_user_factors')") if $model =~ /^(by_user|reference)$/;
	check_model($model, "$model, once what was left behind is truncated");
	check_changes($model, $model);
}
sql($node, "SELECT undistribute_table('by_user_user_factors'), undistribute_table('by_user_item_factors')");
sql($node, "SELECT mf_serve('by_user', v) FROM (SELECT max(version) AS v FROM mf_models WHERE model = 'by_user') v");
is(sql($node, sprintf($reason, 21, 'by_user')), 'model', 'taken back');
check_changes('by_user', 'taken back');

# a foreign key to a reference table makes a table Citus's
sql($node, "SELECT mf_train('ratings', model => 'keyed', factors => 4)");
sql($node, 'ALTER TABLE keyed_user_factors ADD CONSTRAINT known FOREIGN KEY (version) REFERENCES kinds');
is(sql($node, sprintf($reason, 21, 'keyed')), 'model', 'with a foreign key lists are as they were');
sql($node, "SELECT mf_forget(21, 'keyed')");
is(sql($node, sprintf($reason, 21, 'keyed')), 'popular', 'and users erased');
like(error_of($node, "SELECT mf_retrain('keyed')"), qr/0A000: cannot bulk-load model table "keyed_user_factors".*Its constraint "known" is checked by triggers/s,
	'it cannot be retrained, as with any foreign key');

# bookkeeping as reference tables by hand is what mf_citus() makes of it
sql($node, "SELECT create_reference_table('mfrec.model')");
is(sql($node, sprintf($reason, 1, 'ratings')), 'model', 'mfrec.model alone: the coordinator serves');
my $version = sql($node, "SELECT version FROM mf_retrain('ratings')");
is(sql($node, "SELECT version FROM mfrec.model WHERE name = 'ratings'"), $version, 'a training is not lost');
like(error_of($workers[0], sprintf($reason, 1, 'ratings')), qr/ERROR: /, 'a worker has an error');
sql($node, 'SELECT mf_citus()');
is(sql($_, sprintf($reason, 1, 'ratings')), 'model', 'mf_citus() does the rest') for @nodes;

# and what it made can be taken back and given again
sql($node, "SELECT undistribute_table('ratings_user_factors')");
is(sql($node, sprintf($reason, 1, 'ratings')), 'model', 'a table of users taken back: the coordinator serves');
like(error_of($workers[0], sprintf($reason, 1, 'ratings')), qr/42P01: table "public.ratings_user_factors" of model "ratings" does not exist/, 'workers have an error');
is(sql($node, 'SELECT mf_citus()'), '1', 'given again');
is(sql($_, sprintf($reason, 1, 'ratings')), 'model', 'all serve') for @nodes;
sql($node, "ALTER TABLE ratings_user_factors RENAME TO \"Who's who\"; SELECT mf_relink('ratings', users => '\"Who''s who\"')");
is(sql($_, sprintf($reason, 1, 'ratings')), 'model', 'renamed and relinked: all serve') for @nodes;
sql($node, 'DROP EXTENSION mfrec CASCADE; CREATE EXTENSION mfrec');

# bookkeeping in other ways is an error, and goes with the extension
sql($node, "SELECT mf_train('ratings', model => 'again', factors => 4)");
sql($node, "SELECT create_distributed_table('mfrec.model_version', 'model')");
for my $call (sprintf($reason, 1, 'again'), "SELECT mf_retrain('again')", "SELECT mf_train('ratings', 'other')", "SELECT mf_drop('again')")
{
	like(error_of($node, $call), qr/55000: this node has no copy of table mfrec.model_version, which Citus keeps.*mf_citus/s, "distributed bookkeeping: $call");
}
like(error_of($node, 'SELECT mf_citus()'), qr/55000: Citus does not keep all rows of table mfrec.model_version on this node.*DROP EXTENSION mfrec CASCADE/s, 'mf_citus() says how to go on');
sql($node, 'DROP EXTENSION mfrec CASCADE; CREATE EXTENSION mfrec; DROP TABLE again_user_factors, again_item_factors');
is(sql($node, "SELECT users FROM mf_train('ratings', model => 'again', factors => 4)"), '300', 'and so it does');

$_->stop('fast') for reverse @nodes;
done_testing();
