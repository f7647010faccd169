package emulator

import "encoding/json"

func relationCases() []dialect {
	return []dialect{
		{name: "with chain", sql: `WITH a AS (SELECT user, COUNT(*) AS n FROM e GROUP BY user), b AS (SELECT user, n * 2 AS m FROM a) SELECT a.user, n, m FROM a JOIN b USING (user) ORDER BY 1`, want: `[["u1",4,8],["u2",2,4]]`},
		{name: "with used twice and windows", sql: `WITH a AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY user ORDER BY t, pos) AS n FROM e) SELECT x.pos, y.pos FROM a AS x LEFT JOIN a AS y ON x.user = y.user AND y.n = x.n - 1 ORDER BY 1`, want: `[[1,null],[2,1],[3,2],[4,null],[5,4],[6,3]]`},
		{name: "with recursive", sql: `WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r ORDER BY n`, want: `[[1],[2],[3]]`},
		{name: "joins", sql: `SELECT a.k, b.k FROM (SELECT 1 AS k UNION ALL SELECT 2) AS a FULL JOIN (SELECT 2 AS k UNION ALL SELECT 3) AS b ON a.k = b.k ORDER BY COALESCE(a.k, b.k)`, want: `[[1,null],[2,2],[null,3]]`},
		{name: "left join using", sql: `SELECT k, x FROM (SELECT 1 AS k UNION ALL SELECT 2) LEFT JOIN (SELECT 2 AS k, 'b' AS x) USING (k) ORDER BY k`, want: `[[1,null],[2,"b"]]`},
		{name: "inequality join", sql: `SELECT s.upto, COUNT(e.pos) FROM (SELECT 1500 AS upto UNION ALL SELECT 9000) AS s LEFT JOIN e ON e.t < s.upto GROUP BY s.upto ORDER BY 1`, want: `[[1500,1],[9000,5]]`},
		{name: "union all, union distinct", sql: `SELECT COUNT(*) FROM (SELECT item FROM e UNION ALL SELECT item FROM e) UNION ALL SELECT COUNT(*) FROM (SELECT item FROM e UNION DISTINCT SELECT item FROM e) ORDER BY 1`, want: `[[3],[12]]`},
		{name: "except intersect", sql: `SELECT item FROM e WHERE user = 'u1' EXCEPT DISTINCT SELECT item FROM e WHERE user = 'u2' ORDER BY 1`, want: `[["b"]]`},
		{name: "exists", sql: `SELECT pos FROM e AS o WHERE EXISTS (SELECT 1 FROM e AS i WHERE i.user = o.user AND i.item = o.item AND i.pos < o.pos) ORDER BY pos`, want: `[[3]]`},
		{name: "correlated scalar", sql: `SELECT pos, (SELECT MAX(i.pos) FROM e AS i WHERE i.user = o.user AND i.pos < o.pos) FROM e AS o ORDER BY pos`, want: `[[1,null],[2,1],[3,2],[4,null],[5,4],[6,3]]`},
		{name: "in subquery", sql: `SELECT pos FROM e WHERE item IN (SELECT item FROM e WHERE user = 'u2') ORDER BY pos`, want: `[[1],[3],[4],[5],[6]]`},
		{name: "star except replace", sql: `SELECT * EXCEPT (props, value, category, type) REPLACE (pos * 10 AS pos) FROM e WHERE pos = 1`, want: `[[10,"u1","a",1000]]`},
		{name: "distinct", sql: `SELECT DISTINCT user, item FROM e ORDER BY user, item`, want: `[["u1","a"],["u1","b"],["u1","c"],["u2","a"],["u2","c"]]`},
		{name: "order nulls", sql: `SELECT pos FROM e ORDER BY value DESC NULLS FIRST, pos LIMIT 3 OFFSET 1`, want: `[[5],[2],[1]]`},
		{name: "order by several", sql: `SELECT pos FROM e ORDER BY user DESC, t DESC, pos DESC`, want: `[[5],[4],[6],[3],[2],[1]]`},
		{name: "case", sql: `SELECT CASE WHEN value > 1 THEN 'hi' WHEN value IS NULL THEN 'none' ELSE 'lo' END FROM e ORDER BY pos`, want: `[["hi"],["hi"],["lo"],["none"],["hi"],["lo"]]`},
		{name: "pivot", sql: `SELECT * FROM (SELECT user, type FROM e) PIVOT (COUNT(*) FOR type IN ('view', 'purchase')) ORDER BY user`, want: `[["u1",3,1],["u2",2,0]]`},
		{name: "cross join of unnest dates", sql: `SELECT d, COUNT(e.pos) FROM UNNEST(GENERATE_ARRAY(0, 2)) AS d LEFT JOIN e ON DIV(e.t, 4000) = d GROUP BY d ORDER BY d`, want: `[[0,4],[1,0],[2,2]]`},
		{name: "many ctes", sql: `WITH a AS (SELECT * FROM e WHERE type = 'view'), b AS (SELECT user, COUNT(*) AS n FROM a GROUP BY user), c AS (SELECT user, SUM(value) AS v FROM a GROUP BY user), d AS (SELECT DISTINCT user FROM e) SELECT d.user, IFNULL(b.n, 0), c.v FROM d LEFT JOIN b ON b.user = d.user LEFT JOIN c ON c.user = d.user ORDER BY 1`, want: `[["u1",3,4.1],["u2",2,10]]`},
		{name: "quoted names", sql: "SELECT `user`, e.`pos` FROM `oracle.data.e` AS e WHERE e.pos = 1", want: `[["u1",1]]`},
	}
}

func textCases() []dialect {
	return []dialect{
		{name: "order is by code point", sql: `SELECT s FROM UNNEST(['b', 'B', 'é', 'z', '']) AS s ORDER BY s`, want: `[[""],["B"],["b"],["z"],["é"]]`},
		{name: "comparison", sql: `SELECT 'a' < 'B', 'é' > 'z', 'a' = 'A', '' IS NULL, '' < 'a'`, want: `[[false,true,false,false,true]]`},
		{name: "functions", sql: `SELECT LOWER('ÀB'), CONCAT('a', 'b'), 'a' || 'b', STARTS_WITH('abc', 'ab'), LENGTH('é'), SUBSTR('abc', 2), TRIM(' a '), SPLIT('a,b', ',')`, want: `[["àb","ab","ab",true,1,"bc","a",["a","b"]]]`},
		{name: "hashes", sql: `SELECT TO_HEX(MD5('a')), TO_HEX(SHA256('a')), TO_BASE64(b'ab')`, want: `[["0cc175b9c0f1b6a831c399e269772661","ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","YWI="]]`},
		{name: "bytes result", sql: `SELECT b'ab', FROM_HEX('ff')`, want: `[["YWI=","/w=="]]`},
		{name: "like and regexp", sql: `SELECT 'abc' LIKE 'a%', REGEXP_CONTAINS('abc', r'^a.c$'), REGEXP_EXTRACT('x12', r'[0-9]+')`, want: `[[true,true,"12"]]`},
		{name: "not in with null", sql: `SELECT COUNT(*) FROM e WHERE category NOT IN ('books', 'toys')`, want: `[[1]]`},
		{name: "is distinct from", sql: `SELECT COUNT(*) FROM e WHERE category IS DISTINCT FROM 'books'`, want: `[[4]]`},
		{name: "format", sql: `SELECT FORMAT('%d %s %.2f', 3, 'x', 1.005)`, want: `[["3 x 1.00"]]`},
		{name: "timestamp to millis", sql: `SELECT UNIX_MILLIS(TIMESTAMP '1970-01-01 00:00:01+00'), UNIX_MICROS(TIMESTAMP_MILLIS(-1)), UNIX_SECONDS(TIMESTAMP_SECONDS(5))`, want: `[[1000,-1000,5]]`},
		{name: "timestamp without zone", sql: `SELECT UNIX_MILLIS(TIMESTAMP '1970-01-01 00:00:01')`, want: `[[1000]]`},
		{name: "timestamp result", sql: `SELECT TIMESTAMP_MILLIS(1500)`, want: `[["1.500000"]]`},
		{name: "timestamp_trunc", sql: `SELECT UNIX_MILLIS(TIMESTAMP_TRUNC(TIMESTAMP_MILLIS(90061000), DAY)), UNIX_MILLIS(TIMESTAMP_TRUNC(TIMESTAMP_MILLIS(90061000), HOUR))`, want: `[[86400000,90000000]]`},
		{name: "timestamp arithmetic", sql: `SELECT UNIX_MILLIS(TIMESTAMP_ADD(TIMESTAMP_MILLIS(0), INTERVAL 7 DAY)), TIMESTAMP_DIFF(TIMESTAMP_MILLIS(5000), TIMESTAMP_MILLIS(1000), MILLISECOND), UNIX_MILLIS(TIMESTAMP_SUB(TIMESTAMP_MILLIS(0), INTERVAL 1 HOUR))`, want: `[[604800000,4000,-3600000]]`},
		{name: "dates", sql: `SELECT DATE(TIMESTAMP_MILLIS(86400000)), UNIX_DATE(DATE '1970-01-03'), DATE_FROM_UNIX_DATE(-1), DATE_ADD(DATE '2024-02-28', INTERVAL 2 DAY), DATE_DIFF(DATE '2024-03-01', DATE '2024-02-28', DAY)`, want: `[["1970-01-02",2,"1969-12-31","2024-03-01",2]]`},
		{name: "extract", sql: `SELECT EXTRACT(DAYOFWEEK FROM DATE '2024-02-28'), EXTRACT(HOUR FROM TIMESTAMP_MILLIS(3600000))`, want: `[[4,1]]`},
		{name: "timestamp comparison", sql: `SELECT TIMESTAMP_MILLIS(5) > TIMESTAMP_MILLIS(4), MAX(x) = TIMESTAMP_MILLIS(10000000000000) FROM UNNEST([TIMESTAMP_MILLIS(10000000000000), TIMESTAMP_MILLIS(9)]) AS x`, want: `[[true,true]]`},
	}
}

func parameterCases() []dialect {
	param := func(kind, value string) Param { return Param{kind, json.RawMessage(value)} }
	return []dialect{
		{name: "int64", sql: `SELECT @a, @a + 1, COUNT(*) FROM e WHERE t < @a`, params: map[string]Param{"a": param("INT64", "2000")}, want: `[[2000,2001,2]]`},
		{name: "large int64", sql: `SELECT @a`, params: map[string]Param{"a": param("INT64", "9007199254740993")}, want: `[[9007199254740993]]`},
		{name: "others", sql: `SELECT @f * 2, @s, @b, @d, UNIX_MILLIS(@t)`, params: map[string]Param{
			"f": param("FLOAT64", "0.1"), "s": param("STRING", `"it's"`), "b": param("BOOL", "true"),
			"d": param("DATE", `"2024-02-28"`), "t": param("TIMESTAMP", `"1970-01-01T00:00:01Z"`),
		}, want: `[[0.2,"it's",true,"2024-02-28",1000]]`},
		{name: "empty string", sql: `SELECT @s = '', @s IS NULL`, params: map[string]Param{"s": param("STRING", `""`)}, want: `[[true,false]]`},
		{name: "null", sql: `SELECT @s IS NULL`, params: map[string]Param{"s": param("STRING", "null")}, want: `[[true]]`},
		{name: "text array", sql: `SELECT pos FROM e WHERE item IN UNNEST(@l) ORDER BY pos`, params: map[string]Param{"l": param("ARRAY<STRING>", `["b", "c"]`)}, want: `[[2],[5],[6]]`},
		{name: "integer array", sql: `SELECT pos FROM e WHERE pos IN UNNEST(@l) ORDER BY pos`, params: map[string]Param{"l": param("ARRAY<INT64>", `[2, 5]`)}, want: `[[2],[5]]`, got: `error: No matching signature for operator IN UNNEST for argument types: INT64, ARRAY<STRING>`},
		{name: "in a frame and limit", sql: `SELECT pos FROM e ORDER BY pos LIMIT @n`, params: map[string]Param{"n": param("INT64", "1")}, want: `[[1]]`},
		{name: "in timestamp arithmetic", sql: `SELECT DIV(t - @from, @width) AS tile, COUNT(*) FROM e GROUP BY tile ORDER BY tile`, params: map[string]Param{"from": param("INT64", "1000"), "width": param("INT64", "1000")}, want: `[[0,2],[1,2],[7,1],[8,1]]`},
		{name: "numeric", sql: `SELECT @n + 1`, params: map[string]Param{"n": param("NUMERIC", `"0.1"`)}, want: `[["1.1"]]`, got: `error: failed to convert 0.1 to time.Time type`},
	}
}

func statementCases() []dialect {
	return []dialect{
		{name: "create table as select", sql: `CREATE OR REPLACE TABLE data.made AS SELECT user, COUNT(*) AS n FROM e GROUP BY user`, want: `[]`},
		{name: "read it", sql: `SELECT user, n FROM data.made ORDER BY user`, want: `[["u1",4],["u2",2]]`},
		{name: "insert select", sql: `INSERT INTO data.made (user, n) SELECT 'u3', 7`, want: `[]`},
		{name: "delete", sql: `DELETE FROM data.made WHERE user = 'u3'`, want: `[]`},
		{name: "temp function", sql: `CREATE TEMP FUNCTION twice(x INT64) AS (x * 2); SELECT twice(pos) FROM e WHERE pos = 2`, want: `[[4]]`},
		{name: "script with declare", sql: `DECLARE x INT64 DEFAULT 3; SELECT x + 1`, want: `[[4]]`},
		{name: "variables leak into later queries", sql: `SELECT x FROM UNNEST([1, 2]) AS x ORDER BY x`, want: `[[1],[2]]`, got: `error: Syntax error: Unexpected integer literal "3"`},
		{name: "comments and semicolon", sql: "-- a comment\nSELECT 1 /* another */;", want: `[[1]]`},
		{name: "partitioned table", sql: `CREATE OR REPLACE TABLE data.parted (ts TIMESTAMP, user STRING) PARTITION BY DATE(ts) CLUSTER BY user`, want: `[]`},
	}
}
