//! Look-ups against a small name server on loopback.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, MX, NS},
    },
};
use tokio::{net::UdpSocket, task::JoinHandle};

use super::{AddressesError, Duration, Located, MailAnswer, MailRule, Names};

/// A name server that knows the domains of these tests.
struct NameServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                if let Some(answer) = answer(&question) {
                    socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
        Self { address, task }
    }

    fn names(&self) -> Names {
        Names::new(&[self.address]).unwrap()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(question: &Message) -> Option<Message> {
    let query = question.queries.first()?;
    let name = query.name().to_ascii();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    let mail_host = || Name::from_ascii("mail.test.").unwrap();
    let mut add = |data| {
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    };
    match (name.as_str(), query.query_type()) {
        ("silent.test.", _) => return None,
        ("silentaddress.test.", RecordType::A | RecordType::AAAA) => return None,
        ("mx.test." | "localhost." | "xn--bcher-kva.test.", RecordType::MX) => {
            add(RData::MX(MX::new(10, mail_host())));
        }
        ("nullmx.test.", RecordType::MX) => add(RData::MX(MX::new(0, Name::root()))),
        ("nullmx.test." | "address.test.", RecordType::A) => {
            add(RData::A(A(Ipv4Addr::new(192, 0, 2, 1))));
        }
        ("both.test." | "halfbroken.test." | "xn--bcher-kva.test.", RecordType::A) => {
            add(RData::A(A(Ipv4Addr::new(192, 0, 2, 1))));
            add(RData::A(A(Ipv4Addr::new(192, 0, 2, 2))));
        }
        ("both.test.", RecordType::AAAA) => add(RData::AAAA(AAAA(Ipv6Addr::LOCALHOST))),
        ("halfbroken.test.", _) => answer.metadata.response_code = ResponseCode::ServFail,
        ("newaddress.test.", RecordType::AAAA) => add(RData::AAAA(AAAA(Ipv6Addr::LOCALHOST))),
        ("delegated.test.", RecordType::NS) => add(RData::NS(NS(mail_host()))),
        ("alias.test.", RecordType::MX) => {
            add(RData::CNAME(CNAME(Name::from_ascii("mx.test.").unwrap())));
            let record = RData::MX(MX::new(10, mail_host()));
            answer.add_answer(Record::from_rdata(
                Name::from_ascii("mx.test.").unwrap(),
                60,
                record,
            ));
        }
        ("aliasofnothing.test.", RecordType::MX) => {
            add(RData::CNAME(CNAME(Name::from_ascii("nx.test.").unwrap())));
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        ("broken.test.", _) => answer.metadata.response_code = ResponseCode::ServFail,
        ("refused.test.", _) => answer.metadata.response_code = ResponseCode::Refused,
        ("nx.test." | "nx.invalid.", _) => {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        _ => {}
    }
    Some(answer)
}

#[tokio::test]
async fn the_records_of_a_domain_decide() {
    use MailAnswer::{Accepts, DoesNotExist, NoMx, Unknown};
    let server = NameServer::start().await;
    let names = server.names();
    for (domain, with_mx, with_mx_or_address) in [
        ("mx.test", Accepts, Accepts),
        ("MX.test", Accepts, Accepts),
        ("mx.test.", Accepts, Accepts),
        ("localhost", Accepts, Accepts),
        ("b\u{fc}cher.test", Accepts, Accepts),
        ("alias.test", Accepts, Accepts),
        ("nullmx.test", NoMx, NoMx),
        ("address.test", NoMx, Accepts),
        ("newaddress.test", NoMx, Accepts),
        ("delegated.test", NoMx, NoMx),
        ("empty.test", DoesNotExist, DoesNotExist),
        ("nx.test", DoesNotExist, DoesNotExist),
        ("nx.invalid", DoesNotExist, DoesNotExist),
        ("aliasofnothing.test", DoesNotExist, DoesNotExist),
        ("broken.test", Unknown, Unknown),
        ("refused.test", Unknown, Unknown),
    ] {
        assert_eq!(names.mail_exists(domain, MailRule::Mx).await, with_mx, "{domain}");
        let answer = names.mail_exists(domain, MailRule::MxOrAddress).await;
        assert_eq!(answer, with_mx_or_address, "{domain}");
    }
}

#[tokio::test]
async fn what_is_no_name_does_not_exist_and_is_not_asked_for() {
    let nowhere = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let names = Names::new(&[nowhere.local_addr().unwrap()]).unwrap();
    let too_long = format!("{}.test", "a".repeat(64));
    for domain in ["a..test", &too_long] {
        let answer = names.mail_exists(domain, MailRule::Mx).await;
        assert_eq!(answer, MailAnswer::DoesNotExist, "{domain}");
    }
    assert!(nowhere.try_recv(&mut [0; 1]).is_err());
}

#[tokio::test]
async fn silence_is_no_answer_when_the_time_is_over() {
    let server = NameServer::start().await;
    let deadline = Duration::from_millis(100);
    let names = Names::with_deadline(&[server.address], deadline).unwrap();
    for domain in ["silent.test", "silentaddress.test"] {
        let answer = names.mail_exists(domain, MailRule::MxOrAddress).await;
        assert_eq!(answer, MailAnswer::Unknown);
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_no_answer() {
    let gone = NameServer::start().await.address;
    let names = Names::with_deadline(&[gone], Duration::from_millis(100)).unwrap();
    assert_eq!(names.mail_exists("mx.test", MailRule::Mx).await, MailAnswer::Unknown);
}

#[tokio::test]
async fn all_addresses_of_a_host_are_found() {
    let server = NameServer::start().await;
    let names = server.names();
    let old = ["192.0.2.1", "192.0.2.2"];
    for (host, name, addresses) in [
        ("both.test", "both.test", &[old[0], old[1], "::1"][..]),
        ("BOTH.test.", "both.test", &[old[0], old[1], "::1"]),
        ("address.test", "address.test", &old[..1]),
        ("newaddress.test", "newaddress.test", &["::1"]),
        ("halfbroken.test", "halfbroken.test", &old),
        ("b\u{fc}cher.test", "xn--bcher-kva.test", &old),
    ] {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let expected = Located { name: name.to_owned(), addresses };
        assert_eq!(names.addresses(host).await, Ok(expected), "{host}");
    }
    for (host, expected) in [
        ("mx.test", AddressesError::None),
        ("nx.test", AddressesError::None),
        ("a..test", AddressesError::None),
        ("broken.test", AddressesError::Unknown),
    ] {
        assert_eq!(names.addresses(host).await, Err(expected), "{host}");
    }
}

#[tokio::test]
async fn an_address_in_other_digits_is_no_name_and_is_not_asked_for() {
    let nowhere = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let names = Names::new(&[nowhere.local_addr().unwrap()]).unwrap();
    for host in ["127.0.0.\u{ff11}", "\u{ff11}\u{ff12}\u{ff17}.0.0.1", "127.0.0.1"] {
        assert_eq!(names.addresses(host).await, Err(AddressesError::None), "{host}");
    }
    assert!(nowhere.try_recv(&mut [0; 1]).is_err());
}

#[tokio::test]
async fn a_host_is_unknown_when_the_time_is_over() {
    let server = NameServer::start().await;
    let deadline = Duration::from_millis(100);
    let names = Names::with_deadline(&[server.address], deadline).unwrap();
    assert_eq!(names.addresses("silent.test").await, Err(AddressesError::Unknown));
}
