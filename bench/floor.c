/* SPDX-License-Identifier: MIT */
/* The smallest full-screen ncurses program that fills its screen with text: the floor that the start
 * of the console is measured against. q quits. */
#include <curses.h>
#include <locale.h>

int main(void)
{
	int key;

	setlocale(LC_ALL, "");
	initscr();
	raw();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	start_color();
	use_default_colors();
	init_pair(1, COLOR_GREEN, -1);
	for (int row = 0; row < LINES; row++) {
		attron(COLOR_PAIR(row % 3 == 0));
		mvprintw(row, 0,
			 "%4d  orders_add_status_%02d   ok 13:40 0.4s   ok 12:06 2.1s   pending",
			 row, row);
		attroff(COLOR_PAIR(row % 3 == 0));
	}
	do {
		refresh();
		key = getch();
	} while (key != 'q' && key != ERR);
	endwin();
	return 0;
}
