\echo Use "ALTER EXTENSION mfrec UPDATE TO '0.2.0'" to load this file. \quit
