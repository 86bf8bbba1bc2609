--  ; a comment
/; and ;;;﻿ 
