SELECT E'a\\';' '\'';
SELECT E'x'
 -- c
 'y\';'; SELECT U&'\0061;', N'x' /* a /* b; */ ; */