# mfrec: recommendations inside PostgreSQL.
#
#   make demo      installs what is missing, trains on ratings, prints recommendations with titles
#   make test      installs what is missing, runs every test
#   make install   for the PostgreSQL of PG_CONFIG
#
# make help lists the rest.

EXTENSION = mfrec
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" mfrec.control)
MODULE_big = mfrec
PGFILEDESC = "mfrec - recommendations by matrix factorization"

OBJS = \
	$(addprefix src/, guc.o mfrec.o) \
	$(addprefix src/sql/, args.o filter_args.o fn_citus.o fn_evaluate.o fn_holdout.o fn_map.o fn_model.o fn_node.o fn_pack.o fn_predict.o fn_progress.o \
		fn_recommend.o fn_recommend_all.o fn_report.o fn_train.o fn_users.o list_args.o list_scan.o planner_support.o srf.o) \
	$(addprefix src/geometry/, cluster_features.o clusters.o components.o extremes.o vector_set.o) \
	$(addprefix src/eval/, baseline.o content_profile.o evaluate.o evaluate_block.o evaluate_lists.o holdout_split.o item_part.o \
		metrics_report.o variants.o) \
	$(addprefix src/update/, change_publish.o change_solve.o change_store.o item_growth.o item_priors.o recent_rows.o row_select.o side.o \
		trend_count.o update.o user_priors.o) \
	$(addprefix src/tune/, tune.o tune_confirm.o tune_events.o tune_metric.o tune_model.o tune_run.o tune_split.o tune_start.o tune_trial.o) \
	$(addprefix src/train/, als_loop.o estimate.o import.o item_map.o map_rows.o map_trial.o new_version.o shown.o table_distribute.o tenant_batch.o train.o \
		train_each.o train_memory.o train_options.o train_place.o training.o user_map.o user_sample.o validation_there.o version_rows.o) \
	$(addprefix src/distributed/, chunk_ids.o cluster.o driver.o driver_cells.o driver_items.o driver_profiles.o driver_read.o driver_store.o driver_sweep.o \
		driver_users.o driver_validate.o node.o node_answer.o \
		node_items.o node_profiles.o node_protocol.o node_read.o node_rows.o node_served.o node_state.o node_store.o node_sweep.o node_take.o node_users.o node_validate.o) \
	$(addprefix src/validate/, guard.o served_factors.o validation.o validation_sample.o) \
	$(addprefix src/serve/, boosts.o explain_features.o group_cap.o item_encode.o new_items.o profile_encode.o \
		recommend_all.o recommend_batch.o recommender.o renewal.o row_merge.o similar_items.o trend_order.o user_fold_in.o user_groups.o user_scan.o) \
	$(addprefix src/image/, direction_rows.o image_block.o image_build.o image_cache.o image_file.o image_patch.o image_pending.o \
		image_publish.o image_read.o image_renew.o image_sweep.o seen_items.o) \
	$(addprefix src/model/, factor_columns.o factor_rows.o factor_table.o family_write.o feature_table.o missing_rows.o \
		model_acl.o model_cache.o model_catalog.o model_relink.o model_source.o model_write.o objective_json.o seen_columns.o seen_rows.o \
		user_vector.o) \
	$(addprefix src/features/, attributes_read.o feature_arguments.o feature_cells.o feature_source.o features.o \
		features_choose.o features_load.o item_values.o number_summary.o token_list.o vocabulary.o) \
	$(addprefix src/read/, direct_read.o fingerprints.o packed_read.o pairs_read.o plain_query.o ratings_read.o row_batch.o row_filter.o row_scan.o row_workers.o \
		shared_source.o table_rows.o vectors_read.o) \
	$(addprefix src/source/, coo_store.o csr_store.o lookup_cost.o others_sort.o ratings.o ratings_sort.o relation.o row_hash.o source.o \
		source_columns.o source_lookup.o time_split.o unrated.o view_table.o) \
	$(addprefix src/rows/, event_weights.o row_time.o) \
	$(addprefix src/ids/, id_array.o id_growth.o id_map.o id_type.o) \
	$(addprefix src/pg/, alloc.o bulk_load.o citus.o core_call.o json.o memory_limit.o numeric.o packed_chunks.o packed_rows.o placement.o plan_scans.o \
		progress.o session_cache.o snapshot.o spi_query.o subtransaction.o) \
	$(addprefix src/core/metrics/, auc.o choice.o holdout.o metric.o paired_test.o ranking.o variant.o) \
	$(addprefix src/core/als/, als.o als_batched.o als_batched_dual.o als_batched_system.o als_cells.o als_cg.o \
		als_cg_float.o als_cg_int16.o als_cross.o als_int16.o als_packed_sums.o als_packed_vectors.o als_rest.o als_rotate.o als_schedule.o als_single.o als_sums.o als_system.o \
		als_train.o als_whole.o objective.o term.o) \
	$(addprefix src/core/predict/, explain.o fold_in.o predict.o) \
	$(addprefix src/core/features/, exposure.o feature_map.o feature_product.o held_out.o matrix_sample.o strength.o) \
	$(addprefix src/core/topk/, directions.o diversify.o index.o index_build.o index_renew.o reservoir.o sq4.o sq4_plan.o sq8.o \
		topk.o topk_batch.o topk_filter.o topk_quantized.o topk_scan.o topk_score.o topk_search.o) \
	$(addprefix src/core/cluster/, kmeans.o lloyd.o seeding.o) \
	$(addprefix src/core/linalg/, centering.o eigen.o gram.o lapack.o pca.o principal_axes.o) \
	$(addprefix src/core/kernels/, cholesky.o dense.o int16.o int16_cells.o int8.o nearest.o ranks.o score.o sq8_amx.o sq8_code.o syrk_amx.o) \
	$(addprefix src/core/simd/, amx.o isa.o) \
	$(addprefix src/core/base/, csr.o csr_merge.o heap.o narrow.o rng.o seen.o sorted_list.o spread.o threads.o)

# Scripts of the version that is not released yet end with what a report is made of.
DATA_built = mfrec--$(EXTVERSION).sql mfrec--0.1.0--0.2.0.sql
# the last is for whoever wants it, beside those that CREATE EXTENSION runs
DATA = sql/mfrec--0.1.0.sql sql/mfrec_api.sql
REPORT = $(addprefix $(srcdir)/sql/, mfrec_chart.sql mfrec_report.sql)

# make installcheck: for a running server, in which the extension is installed.  The TAP tests start
# servers of their own, which root cannot.
REGRESS = $(sort $(notdir $(basename $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test --load-extension=mfrec
ISOLATION = $(sort $(notdir $(basename $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=mfrec
ifneq ($(shell id -u),0)
TAP_TESTS ?= 1
PROVE_TESTS = test/t/*.pl
endif
EXTRA_CLEAN = demo/report.html results regression.diffs regression.out output_iso tmp_check test/core/build test/core/build-san \
	test/core/build-tsan

PG_CPPFLAGS = -I$(srcdir)/src -DMFREC_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -pthread
SHLIB_LINK = -lm -lpthread

PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifneq ($(PGXS),)
include $(PGXS)
else
srcdir = .
all install uninstall installcheck clean:
	@echo "$(PG_CONFIG) --pgxs does not lead to PostgreSQL's server headers: test/setup installs them" >&2; exit 1
endif

mfrec--$(EXTVERSION).sql: sql/mfrec.sql $(REPORT) mfrec.control
	cat $(filter %.sql, $^) > $@
mfrec--0.1.0--0.2.0.sql: sql/mfrec--0.1.0--0.2.0.sql $(REPORT)
	cat $^ > $@

# Calls within the library go straight to their functions rather than through its table of symbols.
ifeq ($(PORTNAME),linux)
SHLIB_LINK += -ldl -Wl,-Bsymbolic-functions
endif

# On 32-bit x86 everything is computed in SSE's registers.  Those of the x87 keep more digits than a
# float has, so results would depend on what is kept where.
ifneq ($(filter i%86,$(host_cpu)),)
override CFLAGS += -msse2 -mfpmath=sse
endif

# A changed header rebuilds everything: few files, and PGXS tracks no dependencies.
$(OBJS): $(shell find $(srcdir)/src -name "*.h")

# The types that pgindent must know.
typedefs.list: $(shell find $(srcdir)/src -name "*.[ch]")
	@sed -nE -e 's/^\} ([A-Z][A-Za-z0-9]*);.*/\1/p' -e 's/^typedef .*\(\*([A-Za-z0-9]+)\).*/\1/p' \
		-e 's/^typedef (struct|enum) ([A-Z][A-Za-z0-9]*)( \2;)?$$/\2/p' \
		-e 's/^typedef .* ([A-Z][A-Za-z0-9_]*)( __attribute__.*)?;$$/\1/p' $^ | LC_ALL=C sort -u > $@

# Tests on throw-away clusters; both end with a line "N passed, N failed".
.PHONY: test test-all check-core lint help
test:
	@PG_CONFIG='$(PG_CONFIG)' $(srcdir)/test/run
test-all:
	@PG_CONFIG='$(PG_CONFIG)' $(srcdir)/test/run all

check-core:
	$(MAKE) -C $(srcdir)/test/core check
	$(MAKE) -C $(srcdir)/test/core check SAN=1

# No warning of gcc, clang and clang-tidy (reasons for what is left out are in .clang-tidy), no include that the
# table of CONTRIBUTING.md does not have, and no function or file that is too long.
lint:
	@PG_CONFIG='$(PG_CONFIG)' $(srcdir)/test/lint

# What is handed out: the archive for PGXN, of the last commit; a package for each of Debian's majors.
.PHONY: dist deb
dist:
	@test -z "$$(git status --porcelain)" || { echo 'there are changes that are not committed' >&2; exit 1; }
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ -o $(EXTENSION)-$(EXTVERSION).zip HEAD
deb:
	pg_buildext updatecontrol
	dpkg-buildpackage -us -uc -b

help:
	@echo 'make               builds for the PostgreSQL of PG_CONFIG'
	@echo 'make install       installs it there'
	@echo 'make demo          installs what is missing, trains on ratings, prints recommendations, writes a report'
	@echo 'make test          installs what is missing, runs every test on throw-away clusters'
	@echo 'make test-all      the same at length, with sanitizers, valgrind, fuzzers and random queries'
	@echo 'make check-core    tests of src/core: no server needed'
	@echo 'make lint          has gcc, clang and clang-tidy look at every file of src, and checks who includes whom'
	@echo 'make dist          makes a zip file of the last commit, as PGXN takes it'
	@echo 'make deb           makes packages for Debian in the folder above'
	@echo 'make bench         measures speed, memory and quality: docs/benchmarks.md'
	@echo 'make installcheck  the tests that need a server, on the one that psql finds'

# Trains in a cluster of its own, shows what comes out, and writes demo/report.html: make demo, make demo PSQL=1.
.PHONY: demo
demo:
	@PG_CONFIG='$(PG_CONFIG)' $(srcdir)/demo/run

# Measures in a cluster of its own and writes docs/benchmarks.md: make bench, BENCH_SCALE=full make bench.
.PHONY: bench
bench:
	@PG_CONFIG='$(PG_CONFIG)' $(srcdir)/test/bench/run
