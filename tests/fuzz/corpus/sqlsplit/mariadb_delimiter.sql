DELIMITER /*!*/;
BEGIN
/*!*/;
SELECT 1; 
/*!*/;
DELIMITER $$
SELECT END$$
delimiter go
SELECT cargo go