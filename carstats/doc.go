// Package carstats speaks the dialect of Car Stats Viewer, an app in Polestar,
// Volvo and other Android cars: it receives the app's webhook, decodes bodies
// as a stream, and describes the app's values in one table.
//
// What the app sends and how it behaves is documented by its APIDOC.md and,
// beyond that, by its source (github.com/Ixam97/CarStatsViewer, 0.24 to
// 0.28.1); where a comment says "the app", that source says so.
package carstats
