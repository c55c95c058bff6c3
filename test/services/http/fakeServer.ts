/** An HTTP server that a test makes up, on a free port. */
import { Effect } from "effect"
import * as Http from "node:http"

/** Its address, `host:port`. It ends with the Scope, whoever is still connected. */
export const fakeServer = (onRequest: Http.RequestListener) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Http.Server>((resume) => {
        const server = Http.createServer(onRequest)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
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
