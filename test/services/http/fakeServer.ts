/** HTTP servers with handlers of a test, on a free port. */
import { Effect } from "effect"
import * as Http from "node:http"

/** Returns its address, `127.0.0.1:port`, for any `host`. It ends with the Scope and closes its connections. */
export const fakeServer = (onRequest: Http.RequestListener, host = "127.0.0.1") =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Http.Server>((resume) => {
        const server = Http.createServer(onRequest)
        server.listen(0, host, () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    ),
    (server) => {
      const address = server.address()
      return typeof address === "object" ? `127.0.0.1:${address?.port}` : ""
    }
  )
