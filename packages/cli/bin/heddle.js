#!/usr/bin/env node
// Committed, unlike dist, so that the installer can link the command before the first build.
import "../dist/main.js";
