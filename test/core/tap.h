/*
 * tap.h - the few lines of TAP that the core's tests print: ok(), is_close(), skip(), done().
 */
#ifndef TAP_H
#define TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int	tap_count;
static int	tap_failed;

/* One test: prints "ok 3 - what" or "not ok 3 - what". */
__attribute__((format(printf, 2, 3), unused)) static bool
ok(bool passed, const char *what,...)
{
	va_list		args;

	tap_count++;
	if (!passed)
		tap_failed++;
	printf("%sok %d - ", passed ? "" : "not ", tap_count);
	va_start(args, what);
	vprintf(what, args);
	va_end(args);
	printf("\n");
	return passed;
}

/* Passes when |got - expected| <= tolerance * max(1, |expected|); NaN never does. */
__attribute__((unused)) static bool
is_close(double got, double expected, double tolerance, const char *what)
{
	double		scale = fabs(expected) > 1.0 ? fabs(expected) : 1.0;
	bool		passed = fabs(got - expected) <= tolerance * scale;

	ok(passed, "%s", what);
	if (!passed)
		printf("#   got %.9g, expected %.9g\n", got, expected);
	return passed;
}

/* A test that cannot be run here. */
__attribute__((unused)) static void
skip(const char *what, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_count, what, why);
}

/*
 * Whether to run everything (MFREC_TEST_ALL is set, as test/run all does).  Else tests that repeat themselves at each
 * instruction set level do all at the best one, and take turns at the others, so that each kernel still meets each form.
 */
__attribute__((unused)) static bool
thorough(void)
{
	return getenv("MFREC_TEST_ALL") != NULL;
}

/* The plan; what main() returns. */
static int
done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
