import type { Route } from "../core/route.ts"
import { Link } from "./Link.tsx"

/** The way to a page: links, and where one is. */
export const Breadcrumb = ({ here, way }: {
  readonly way: ReadonlyArray<readonly [string, Route]>
  readonly here: string
}) => (
  <nav className="breadcrumb" aria-label="Breadcrumb">
    <ol>
      {way.map(([name, route]) => (
        <li key={name}>
          <Link to={route}>{name}</Link>
        </li>
      ))}
      <li aria-current="page">{here}</li>
    </ol>
  </nav>
)
