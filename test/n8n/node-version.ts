/**
 * Ends the program with a sentence, not a stack trace, on a Node that is too old.
 * Import it first: what is imported after it may not even load on such a Node.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
	console.error(
		`This needs Node 20.19 or newer, and here is Node ${process.versions.node}. ` +
			'Install a newer Node (nodejs.org) and run the same command again.',
	);
	process.exit(1);
}

export {};
