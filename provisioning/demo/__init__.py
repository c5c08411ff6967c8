"""`bes demo`: a whole single-node deployment on loopback, with simulated hardware, for one day.

`day` holds the market's figures, `layout` the files of the deployment, `site` the simulated
machines, `children` the processes, `account` what the day earned and cost, `cli` plays it.
"""
