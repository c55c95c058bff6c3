/**
 * The program `standalone`: nsqlookupd, nsqd and nsqadmin in one process, for development.
 */
import * as Arguments from "./arguments.ts"
import * as Standalone from "./runStandalone.ts"

Standalone.run(Arguments.read())
