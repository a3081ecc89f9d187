module acme.example/dispatch

go 1.23
