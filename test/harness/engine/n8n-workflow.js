/** What `import … from 'n8n-workflow'` means in an engine test: the copy that the tested engine itself uses. */
module.exports = globalThis.n8nRequire('n8n-workflow');
