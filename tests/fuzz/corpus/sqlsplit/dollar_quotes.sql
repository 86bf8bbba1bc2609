CREATE FUNCTION f() RETURNS void AS $a$ BEGIN EXECUTE $$ SELECT ';'; $$; $b$ $ a$; $b$ END $a$ LANGUAGE plpgsql;
SELECT a$b$ FROM t; SELECT $1$2; SELECT $ä$;$ä$
