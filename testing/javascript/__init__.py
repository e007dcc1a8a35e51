"""JavaScript and TypeScript projects: their package.json, their packages, their test runners and reports."""
