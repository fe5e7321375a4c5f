/*
 * list_scan.h - a node of plans for functions in FROM that return a list.
 */
#ifndef MFREC_LIST_SCAN_H
#define MFREC_LIST_SCAN_H

extern void InstallListScan(void);

#endif
