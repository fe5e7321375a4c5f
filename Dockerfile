# PostgreSQL with mfrec, on the official image.
#
#   docker build -t mfrec .                              PostgreSQL 18
#   docker build -t mfrec --build-arg PG_MAJOR=17 .      15 or newer
#
# Run it as the official image, and CREATE EXTENSION mfrec once in each database.
ARG PG_MAJOR=18

FROM postgres:$PG_MAJOR AS build
RUN apt-get update && apt-get install -y --no-install-recommends make gcc libc6-dev postgresql-server-dev-$PG_MAJOR
COPY . /mfrec
RUN make -C /mfrec && make -C /mfrec install DESTDIR=/installed

FROM postgres:$PG_MAJOR
# what training finds eigenvectors by; sessions that serve do not load it
RUN apt-get update && apt-get install -y --no-install-recommends libopenblas0-pthread && rm -rf /var/lib/apt/lists/*
COPY --from=build /installed/ /
