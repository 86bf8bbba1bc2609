SELECT 1 \gexec
\connect x
